"""One network for any pair: what it is told of a pair, how it answers, and what it starts from."""
