"""Text on a terminal, questions, and errors."""
