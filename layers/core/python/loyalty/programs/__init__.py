"""What a programme has decided: its policy document and the terms that follow from it."""
