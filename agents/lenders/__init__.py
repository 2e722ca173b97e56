"""What a lender does: offers, marks, margin calls, seized collateral, its own funding, runs on it, its failure."""
