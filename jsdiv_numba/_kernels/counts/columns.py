"""What is known of one category, given its total: the columns of a table."""

ORDERS = 7
"""How many polynomials are looked at above the first degree."""

MEAN, SLOPE, LINEAR, RESIDUAL, CUBE, SQUARE_LINEAR, LINEAR_SQUARE, LINEAR_CUBE, SHARED = range(9)
"""E f; the slope b of f in x = c - E c; E x²; and with r = f - E f - b·x: E r², E r³, E r²x,
E r x², E x³; then what the polynomials of degrees 2, 3, ... share with other categories."""

COLUMNS = SHARED + ORDERS
