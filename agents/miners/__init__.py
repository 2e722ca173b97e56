"""What a bitcoin miner does besides: runs its rigs, issues notes, pledges coins."""
