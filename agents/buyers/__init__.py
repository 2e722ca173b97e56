"""What a hardware buyer does: bids within its budget, power and beliefs."""
