"""The Songbird-compatible service: sessions, uploads, and the observatory that shows what was uploaded."""
