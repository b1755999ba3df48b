#include "net/listener.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Accepted in one go, so that a flood of clients does not hold up those that are in. */
#define ACCEPT_BATCH 64

static int
socket_open(int family)
{
	const int on = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || family == AF_UNIX)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return fd;
}

/* From now on others of our user can bind the same address. */
static void
socket_share(int fd)
{
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

/* A socket in the file system that refuses: its listener is gone. */
static bool
path_is_stale(const struct endpoint *address)
{
	const struct sockaddr_un *local = (const void *)&address->address;
	struct stat status;
	AUTO_CLOSE int fd = -1;

	if (lstat(local->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = socket_open(AF_UNIX);
	return fd >= 0 && connect(fd, &address->address.any, address->length) < 0 &&
	       errno == ECONNREFUSED;
}

static int
socket_bind(int fd, const struct endpoint *address)
{
	const struct sockaddr_un *local = (const void *)&address->address;

	if (bind(fd, &address->address.any, address->length) == 0)
		return 0;
	if (errno != EADDRINUSE || endpoint_family(address) != AF_UNIX)
		return -1;
	if (!path_is_stale(address)) {
		errno = EADDRINUSE;
		return -1;
	}
	if (unlink(local->sun_path) < 0)
		return -1;
	return bind(fd, &address->address.any, address->length);
}

/* The first socket of an address shares it behind bind() alone: another program that
   has it is an error. */
static bool
socket_claim(int fd, const struct endpoint *address, bool joins)
{
	bool shares = endpoint_family(address) != AF_UNIX;

	if (joins)
		socket_share(fd);
	if (socket_bind(fd, address) < 0)
		return false;
	if (shares && !joins)
		socket_share(fd);
	return listen(fd, SOMAXCONN) == 0;
}

static enum status
socket_make(const struct endpoint *address, bool joins, int *fd)
{
	int made = socket_open(endpoint_family(address));
	int cause;

	if (made >= 0 && socket_claim(made, address, joins)) {
		*fd = made;
		return STATUS_OK;
	}
	cause = errno;
	if (made >= 0)
		close(made);
	errno = cause;
	return cause == EACCES || cause == EPERM ? STATUS_DENIED : STATUS_SYSTEM;
}

enum status
listener_bind(const struct endpoint *address, int *fd)
{
	return socket_make(address, false, fd);
}

enum status
listener_join(const struct endpoint *address, int *fd)
{
	assert(endpoint_family(address) != AF_UNIX);
	return socket_make(address, true, fd);
}

/* Anything that costs a descriptor, also when the whole system is short of them. */
static int
spare_open(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static void
listener_pause(struct listener *listener)
{
	loop_remove(&listener->source);
	loop_timer_start(listener->loop, &listener->pause, LISTENER_PAUSE);
}

/* False: nobody waits, or there is no descriptor to meet them with. */
static bool
turn_one_away(struct listener *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	send(fd, listener->farewell.at, listener->farewell.length,
	     MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	return true;
}

/* One client is told so; the rest wait in the kernel's queue for the pause to end. */
static void
listener_bid_farewell(struct listener *listener)
{
	if (listener->spare < 0)
		return;
	close(listener->spare);
	turn_one_away(listener);
	listener->spare = spare_open();
}

/* False: nothing more is to be accepted for now. */
static bool
listener_accept_failed(struct listener *listener, int error)
{
	switch (error) {
	case EAGAIN:
		return false;
	/* the client's or its network's trouble (accept(2)): others may be well */
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENOPROTOOPT:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case EOPNOTSUPP:
	case ETIMEDOUT:
		return true;
	case EMFILE:
	case ENFILE:
		listener_bid_farewell(listener);
		break;
	default:
		break;
	}
	/* whatever it is, trying again at once would spin */
	listener_pause(listener);
	return false;
}

static void
listener_accept(struct listener *listener, int fd, const struct sockaddr *address,
		socklen_t length)
{
	struct endpoint peer = {0};

	endpoint_from_sockaddr(&peer, address, length);
	listener->accepted(listener, fd, &peer);
}

static void
listener_ready(struct loop_source *source)
{
	struct listener *listener = CONTAINER_OF(source, struct listener, source);

	source->ready = 0;
	/* its owner may close the listener when it is given a client */
	for (int count = 0; count < ACCEPT_BATCH && listener->fd >= 0; count++) {
		struct sockaddr_storage address;
		struct sockaddr *any = (struct sockaddr *)&address;
		socklen_t length = sizeof(address);
		int fd = accept4(listener->fd, any, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			listener_accept(listener, fd, any, length);
		else if (!listener_accept_failed(listener, errno))
			return;
	}
}

static void
listener_resume(struct timer *timer)
{
	struct listener *listener = CONTAINER_OF(timer, struct listener, pause);

	if (listener->spare < 0)
		listener->spare = spare_open();
	if (loop_add_level(listener->loop, &listener->source, listener->fd,
			   listener_ready))
		loop_timer_start(listener->loop, timer, LISTENER_PAUSE);
}

enum status
listener_open(struct listener *listener, struct loop *loop, int fd,
	      struct span farewell, listener_accepted *accepted)
{
	const int on = 1;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	enum status status;

	*listener = (struct listener){
		.loop = loop,
		.fd = fd,
		.source.fd = -1,
		.spare = spare_open(),
		.farewell = farewell,
		.accepted = accepted,
	};
	timer_init(&listener->pause, listener_resume);
	if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
		endpoint_from_sockaddr(&listener->address, (struct sockaddr *)&address,
				       length);
	/* what is accepted inherits it: one call less for each client */
	if (endpoint_family(&listener->address) != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	status = loop_add_level(loop, &listener->source, fd, listener_ready);
	if (status)
		listener_close(listener);
	return status;
}

void
listener_turn_away(struct listener *listener)
{
	for (int count = 0; count < SOMAXCONN && listener->fd >= 0; count++)
		if (!turn_one_away(listener))
			return;
}

void
listener_close(struct listener *listener)
{
	int saved = errno;

	if (listener->fd < 0)
		return;
	loop_timer_stop(listener->loop, &listener->pause);
	loop_remove(&listener->source);
	close(listener->fd);
	if (listener->spare >= 0)
		close(listener->spare);
	listener->fd = listener->spare = -1;
	errno = saved;
}
