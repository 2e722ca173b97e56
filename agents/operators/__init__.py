"""What neoclouds and miners share: orders of new chips, deliveries, debt service, default."""
