"""What there is: the row of each kind of agent and contract, and the small verbs that keep it (open, pay, hand over, occupy); ledger, events, clock."""
