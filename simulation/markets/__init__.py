"""Where they meet: the rental market, and the secondary market from the order book to the settled sale."""
