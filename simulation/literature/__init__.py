"""Published models on balance sheets alone, with the rules of the engine wherever it has them."""
