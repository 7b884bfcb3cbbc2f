"""What a profile means: classes of work, shares with their errors, and what rules see of it."""
