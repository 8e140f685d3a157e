/*
 * startlink: between qmail-send and the process that watches the services.
 *
 * qmail-start leaves one end of a socket pair to qmail-send on this
 * descriptor. One byte comes over it, when all services are ready for the
 * first time: now qmail-send begins. When either side ends, the other sees the
 * end of the file and ends too.
 */
#ifndef WIRE_STARTLINK_H
#define WIRE_STARTLINK_H

#define STARTLINK_FD 5

#endif
