"""What runs in processes of their own, one module per kind; `child.run` starts them, `child.serve` is their side."""
