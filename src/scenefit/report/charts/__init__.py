"""Charts of the report: drawn by matplotlib for the picture, by plotly for the page."""
