const { roundTrip } = require('./round-trip.cjs')

void roundTrip(require('tuskit'), require('tuskit/file-store'), require('tuskit/memory-store'))
