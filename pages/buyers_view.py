"""Did the buyer get it on time, complete, undamaged, with the right goods, and was it billed right?"""

from dashboard import family

family.show("buyers_view")
