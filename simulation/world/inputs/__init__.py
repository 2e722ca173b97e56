"""Users' tables: one reader for all of them, what a column may hold, and what a run takes from them."""
