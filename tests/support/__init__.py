"""What tests of several subjects make, ask and wait with. Nothing here is collected."""
