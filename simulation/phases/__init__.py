"""The phases of a month that touch everybody: its opening, the rounds of the cascade, the close, the record."""
