"""Documents made from the program: tables of the ODD, generated parts, screenshots."""
