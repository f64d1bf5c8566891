// Connects as the frontend does and prints what it is told, one JSON list a line.
import { io } from "socket.io-client";

const [url, token, seatEvent, ticketEvent] = process.argv.slice(2);
const say = (name, payload) => console.log(JSON.stringify([name, payload ?? null]));
const open = (auth) =>
  io(url, { transports: ["websocket", "polling"], auth, reconnectionDelay: 1000 });

// A refused client does not try again by itself.
const refused = (auth) =>
  new Promise((done) => {
    const socket = open(auth);
    socket.on("connect_error", (error) => {
      say("connect_error", error.message);
      socket.disconnect();
      done();
    });
  });

await refused({});
await refused({ token: "x.y.z" });

const socket = open({ token });
for (const name of ["room-info", "ticket-updated", "seat-selected", "seat-released"]) {
  socket.on(name, (payload) => {
    say(name, payload);
    if (name === "ticket-updated") socket.emit("join-seat-selection", { eventId: seatEvent });
  });
}
socket.on("connect", () => {
  say("connect");
  socket.emit("join-event", { eventId: ticketEvent });
  socket.emit("join-queue", { eventId: seatEvent });
});
socket.on("disconnect", (reason) => {
  say("disconnect", reason);
  // It would come back now: `active` says so.
  const comesBack = socket.active;
  socket.disconnect();
  process.exitCode = comesBack ? 0 : 1;
});
