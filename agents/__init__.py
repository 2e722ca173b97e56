"""Who acts: tables of agents and contracts, the rules each kind follows, and the ledger. Knows no market."""
