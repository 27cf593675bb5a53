// GNU libmicrohttpd's C interface, and what Swift cannot import of it: variadic calls.
#ifndef TROUPE_CMICROHTTPD_SHIM_H
#define TROUPE_CMICROHTTPD_SHIM_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

/// Where a daemon listens, and its limits.
struct troupe_mhd_settings {
    const char *address;          ///< An IPv4 or IPv6 address as text.
    uint16_t port;                ///< 0 for any free one.
    unsigned threads;             ///< Threads that serve connections, at least 1.
    unsigned connections;         ///< The most connections.
    unsigned connections_per_ip;  ///< The most connections of one address; 0 for no limit.
    unsigned inactivity;          ///< Seconds without traffic after which a connection is closed.
    unsigned backlog;             ///< Connections that may wait to be accepted.
    size_t memory;                ///< Bytes of memory of a connection, which bounds request line and headers.
    const char *key;              ///< The private key in PEM, or NULL. Must outlive the daemon.
    const char *certificate;      ///< The certificates in PEM, or NULL. Must outlive the daemon.
};

/// Whom a daemon calls, always on one of its own threads, with `context` first.
struct troupe_mhd_callbacks {
    void *(*target)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_AccessHandlerCallback access;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    void (*log)(void *context, const char *message);
    void *context;
};

/// Makes text of a log line. The callbacks are the argument, because MHD passes on only one.
static inline void troupe_mhd_log(void *callbacks, const char *format, va_list arguments) {
    const struct troupe_mhd_callbacks *to = (const struct troupe_mhd_callbacks *) callbacks;
    char line[512];
    vsnprintf(line, sizeof line, format, arguments);
    to->log(to->context, line);
}

/// Starts a daemon; NULL and errno when it cannot. `callbacks` must outlive it.
static inline struct MHD_Daemon *troupe_mhd_start(
    const struct troupe_mhd_settings *settings, struct troupe_mhd_callbacks *callbacks) {
    struct sockaddr_storage storage;
    memset(&storage, 0, sizeof storage);
    struct sockaddr_in *v4 = (struct sockaddr_in *) &storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &storage;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
#ifdef __linux__
    flags |= MHD_USE_EPOLL;
#else
    flags |= MHD_USE_AUTO;
#endif
    if (inet_pton(AF_INET, settings->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(settings->port);
    } else if (inet_pton(AF_INET6, settings->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(settings->port);
        flags |= MHD_USE_IPv6;
    } else {
        errno = EINVAL;
        return NULL;
    }
    struct MHD_OptionItem options[12];
    int count = 0;
#define TROUPE_MHD_OPTION(name, number, pointer) \
    options[count++] = (struct MHD_OptionItem) { (name), (intptr_t) (number), (void *) (pointer) }
    TROUPE_MHD_OPTION(MHD_OPTION_CONNECTION_LIMIT, settings->connections, NULL);
    TROUPE_MHD_OPTION(MHD_OPTION_PER_IP_CONNECTION_LIMIT, settings->connections_per_ip, NULL);
    TROUPE_MHD_OPTION(MHD_OPTION_CONNECTION_TIMEOUT, settings->inactivity, NULL);
    TROUPE_MHD_OPTION(MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->memory, NULL);
    TROUPE_MHD_OPTION(MHD_OPTION_CONNECTION_MEMORY_INCREMENT, 1024, NULL);
    TROUPE_MHD_OPTION(MHD_OPTION_LISTEN_BACKLOG_SIZE, settings->backlog, NULL);
    TROUPE_MHD_OPTION(MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    if (settings->threads > 1) TROUPE_MHD_OPTION(MHD_OPTION_THREAD_POOL_SIZE, settings->threads, NULL);
    if (settings->key != NULL) {
        flags |= MHD_USE_TLS;
        TROUPE_MHD_OPTION(MHD_OPTION_HTTPS_MEM_KEY, 0, settings->key);
        TROUPE_MHD_OPTION(MHD_OPTION_HTTPS_MEM_CERT, 0, settings->certificate);
    }
    TROUPE_MHD_OPTION(MHD_OPTION_END, 0, NULL);
#undef TROUPE_MHD_OPTION
    // The logger comes first: what MHD says of the other options goes to it.
    return MHD_start_daemon(
        flags, settings->port, NULL, NULL, callbacks->access, callbacks->context,
        MHD_OPTION_EXTERNAL_LOGGER, troupe_mhd_log, (void *) callbacks,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *) &storage,
        MHD_OPTION_URI_LOG_CALLBACK, callbacks->target, callbacks->context,
        MHD_OPTION_NOTIFY_COMPLETED, callbacks->completed, callbacks->context,
        MHD_OPTION_NOTIFY_CONNECTION, callbacks->connection, callbacks->context,
        MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/// The port a daemon listens on; 0 when unknown.
static inline uint16_t troupe_mhd_port(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info == NULL ? 0 : info->port;
}

/// The socket a daemon listens on; -1 when unknown.
static inline int troupe_mhd_listener(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_LISTEN_FD);
    return info == NULL ? -1 : (int) info->listen_fd;
}

/// A connection's socket; -1 when unknown.
static inline int troupe_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : (int) info->connect_fd;
}

/// What the connection callback left with a connection; NULL when it left nothing.
static inline void *troupe_mhd_socket_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/// Writes the client's address as text, without the port; 0 when it is unknown.
static inline int troupe_mhd_client(struct MHD_Connection *connection, char *text, size_t size) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL) return 0;
    const struct sockaddr *address = info->client_addr;
    if (address->sa_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *) address)->sin_addr, text, (socklen_t) size) != NULL;
    if (address->sa_family == AF_INET6)
        return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) address)->sin6_addr, text, (socklen_t) size) != NULL;
    return 0;
}

#endif
