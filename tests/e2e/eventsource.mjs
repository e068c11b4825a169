// Follows a stream with the npm package `eventsource`, and prints each event's data on a line.
import { EventSource } from "eventsource";

const source = new EventSource(process.argv[2]);
source.onmessage = (event) => {
  console.log(event.data);
  const { status } = JSON.parse(event.data);
  if (status !== "starting" && status !== "processing") source.close();
};
