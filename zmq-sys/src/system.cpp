// A shared libzmq exports the first version of its monitor alone. Its reports name this side of a
// connection and not the other one.
#include <zmq.h>
#include <stdint.h>

int zmq_socket_monitor_versioned(
    void *socket, const char *address, uint64_t events, int version, int type)
{
    (void) version;
    (void) type;
    return zmq_socket_monitor(socket, address, (int) events);
}
