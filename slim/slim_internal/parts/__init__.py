"""What several programs share; no part knows a program."""
