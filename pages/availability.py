"""Did I get what I wanted, when I wanted it, in the quantity I wanted?"""

from dashboard import family

family.show("availability")
