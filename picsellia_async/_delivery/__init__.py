"""What is inside the uploader: the way of a frame from `submit` to its outcome, in memory and on disk."""
