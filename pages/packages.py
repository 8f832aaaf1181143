"""What did we promise each segment (Table 8-1), and what did it get?"""

from dashboard import family

family.show("packages")
