"""Text to typed statements to plans. The only door to sqlglot; executes nothing."""
