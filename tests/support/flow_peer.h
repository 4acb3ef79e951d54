// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace vigia::test {

// What a ToldChild of the flow tests does. Words, separated by spaces:
// `stop`: see hammer.
//   listen ADDRESS            → port; several at once may be open
//   accept PORT [quietly]     → takes one connection with (or without) asking for the peer's
//   address,
//                               reads to its end, closes it → bytes read
//   serve PORT N              → N connections, each read to its end and answered with 7 bytes
//   connect ADDRESS PORT N BYTES → N connections one after another, BYTES sent over each, answer
//   read
//                               → "ok" or errno
//   try ADDRESS PORT          → errno of a TCP connect without waiting
//   udp-bind ADDRESS          → port
//   udp-send ADDRESS PORT N   → N datagrams of 10 bytes from one socket, which is then closed →
//   errno udp-connect ADDRESS PORT  → the same with connect(), one datagram → errno udp-receive
//   PORT N        → takes N datagrams and answers each with 4 bytes → "ok" fork-accept PORT → a
//   child accepts one as "accept" does → the child's pid pass PORT                 → accepts
//   without asking, a child gets the descriptor, serves, ends → pid hammer ADDRESS PORT       →
//   connects without waiting until something is to be read on `stop`, the
//                               socket of the words → "REFUSED OTHERS", how often EPERM and how
//                               often not
//   user UID                  → goes on as this user
[[nodiscard]] std::string do_flow_work(const std::string& line, int stop);

}  // namespace vigia::test
