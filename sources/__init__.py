"""The release that a run would deploy: built from the checkouts, or named by the receipt."""
