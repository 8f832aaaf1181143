"""Was the buyer told before, during and after; in time, and rightly; and were special wishes met?"""

from dashboard import family

family.show("communications")
