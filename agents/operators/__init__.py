"""What neoclouds and miners share: orders of new chips, contracts with customers, deliveries, debt service, default."""
