"""What a measure, a question and an answer are."""
