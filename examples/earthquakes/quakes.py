"""What a week of earthquakes looked like: a GeoJSON feed of the US Geological Survey in, a summary and two files out.

    python.wasm /in/quakes.py /in/earthquakes.json
"""
import collections
import csv
import json
import math
import statistics
import sys

with open(sys.argv[1], encoding="utf-8") as feed:
    quakes = json.load(feed)["features"]

regions = collections.defaultdict(list)
for quake in quakes:
    properties = quake["properties"]
    if properties["mag"] is None or properties["place"] is None:
        continue
    region = properties["place"].rsplit(",", 1)[-1].strip()
    longitude, latitude, depth = quake["geometry"]["coordinates"]
    regions[region].append((properties["mag"], depth, latitude, longitude))

# Seismic moment in newton metres (Hanks and Kanamori, 1979): a magnitude is its logarithm, energies add up.
def moment(magnitude):
    return 10 ** (1.5 * magnitude + 9.1)

rows = []
for region, events in regions.items():
    magnitudes = [event[0] for event in events]
    total = math.fsum(moment(magnitude) for magnitude in magnitudes)
    rows.append((region, len(events), max(magnitudes), statistics.median(magnitudes), statistics.fmean(e[1] for e in events), total))
rows.sort(key=lambda row: (-row[5], row[0]))

with open("/out/regions.csv", "w", newline="", encoding="utf-8") as table:
    writer = csv.writer(table)
    writer.writerow(["region", "quakes", "strongest", "median", "mean_depth_km", "moment_nm"])
    for region, count, strongest, median, depth, total in rows:
        writer.writerow([region, count, f"{strongest:.2f}", f"{median:.2f}", f"{depth:.2f}", f"{total:.4e}"])

histogram = collections.Counter(math.floor(event[0]) for events in regions.values() for event in events)
with open("/out/histogram.json", "w", encoding="utf-8") as chart:
    json.dump({str(magnitude): histogram[magnitude] for magnitude in sorted(histogram)}, chart, indent=1)

everything = math.fsum(row[5] for row in rows)
print(f"{sum(row[1] for row in rows)} earthquakes in {len(rows)} regions")
print(f"{'region':24} {'quakes':>6} {'strongest':>9} {'share of energy':>16}")
for region, count, strongest, _, _, total in rows[:8]:
    print(f"{region[:24]:24} {count:6d} {strongest:9.1f} {total / everything:15.2%}")
print(f"{len(rows) - 8} more regions are in regions.csv", file=sys.stderr)
