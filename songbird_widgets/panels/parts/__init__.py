"""The kernel's side of each part of a panel: what it shows, and what it does when the browser asks."""
