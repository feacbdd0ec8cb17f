"""Each figure once: its rows of data and the Vega-Lite specification that draws them."""
