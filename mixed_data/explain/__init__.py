"""Why a prediction is what it is: what columns and photos each did, and where in a photo, from predictions alone."""
