"""What an export says about itself, and whether it still holds."""
