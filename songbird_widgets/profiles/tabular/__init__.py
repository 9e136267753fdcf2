"""Data of many libraries and files, brought into the few forms that a profile counts."""
