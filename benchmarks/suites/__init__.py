"""What is measured: one module per group of figures. They run workers and only count: nothing heavy is imported here."""
