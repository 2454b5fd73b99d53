"""What an `AsyncDeployment` is composed of: one part per subject, over one record and one pair of hosts. Nothing here is public."""
