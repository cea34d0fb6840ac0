from django.core.wsgi import get_wsgi_application

from access.http.cores import keep_to_one_core

keep_to_one_core()  # as ours: without it, a peer answers fewer calls
application = get_wsgi_application()
