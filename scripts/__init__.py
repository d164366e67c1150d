"""What a user runs by hand, one file per job."""
