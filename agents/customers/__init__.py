"""What a customer does: signs contracts, renegotiates them, lets them run out or renews them, fails."""
