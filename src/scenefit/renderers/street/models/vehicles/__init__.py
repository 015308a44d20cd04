"""Motor vehicles: cars, vans, trucks, buses."""
