"""What the economics are judged by: one table of measures over seeds, the sale of a block, and mechanisms in isolation."""
