using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Microsoft.AspNetCore.Http;

namespace Ancm.Hosting.Tests
{
    /// <summary>
    /// Callbacks at any time, for requests that are under way, over, or not there yet, from several threads. What must hold:
    /// each request is completed once, and only those are aborted that were.
    /// </summary>
    internal static class StormTests
    {
        private const int Slots = 6;
        private const int RequestsOfASlot = 1500;
        private const uint FirstSlot = 500;

        private static readonly ConcurrentDictionary<ulong, bool> _aborted = new ConcurrentDictionary<ulong, bool>();
        private static readonly ulong[] _current = new ulong[Slots];
        private static int _wronglyAborted;
        private static int _completed;

        public static async Task EachRequestIsCompletedOnceInAStorm()
        {
            var seed = Environment.TickCount;
            Console.WriteLine($"seed {seed}");
            using var stop = new CancellationTokenSource();
            var storm = Enumerable.Range(0, 2)
                .Select(number => Task.Run(() => Storm(new Random(seed + number), stop.Token)))
                .ToArray();
            await Check.InTime(Task.WhenAll(Enumerable.Range(0, Slots).Select(slot => Task.Run(
                () => RunSlot(slot, new Random(seed * 31 + slot))))));
            stop.Cancel();
            await Check.InTime(Task.WhenAll(storm));
            Check.Equal(Slots * RequestsOfASlot, _completed);
            Check.Equal(0, _wronglyAborted, "wrongly aborted");
            Check.Equal(false, _aborted.IsEmpty);
        }

        private static async Task RunSlot(int slot, Random random)
        {
            var path = "/" + (uint)FakeApp.Request(context => Serve(context, slot)).Id;
            for (var generation = 1UL; generation <= RequestsOfASlot; generation++)
            {
                var request = new FakeRequest(
                    (generation << 32) | (FirstSlot + (uint)slot), "POST", path, RequestFlags.HasBody | Where(random))
                {
                    Taking = random.Next(3) == 0 ? Status.Pending : Status.Ok,
                };
                Volatile.Write(ref _current[slot], request.Id);
                FakeNative.Begin(request);
                request.AddBody("some");
                request.AddBody("body");
                request.EndBody();
                await Check.InTime(request.Completed);
                Check.Equal(false, request.Calls.Contains("twice"), request.Calls);
                Interlocked.Increment(ref _completed);
            }
        }

        private static async Task Serve(HttpContext context, int slot)
        {
            var id = Volatile.Read(ref _current[slot]);
            context.RequestAborted.Register(() =>
            {
                if (!_aborted.ContainsKey(id))
                {
                    Interlocked.Increment(ref _wronglyAborted);
                }
            });
            await context.Request.Body.CopyToAsync(System.IO.Stream.Null);
            await context.Response.WriteAsync("one");
            switch ((id >> 32) % 4)
            {
                case 0:
                    await Task.Yield();
                    await context.Response.WriteAsync("two");
                    break;
                case 1:
                    throw new InvalidOperationException("the app's");
                case 2:
                    _aborted[id] = true;
                    context.Abort();
                    break;
            }
        }

        private static void Storm(Random random, CancellationToken stop)
        {
            while (!stop.IsCancellationRequested)
            {
                var current = Volatile.Read(ref _current[random.Next(Slots)]);
                if (current == 0)
                {
                    continue;
                }
                var other = current + ((ulong)random.Next(-2, 1) << 32);
                FakeNative.ReadReady(current, Where(random));
                FakeNative.WriteReady(current, Where(random));
                FakeNative.ReadReady(other);
                FakeNative.WriteReady(other);
                if (other != current)
                {
                    // Over: it must not touch the one that is under way.
                    FakeNative.Abort(other);
                }
                else if (random.Next(50) == 0)
                {
                    _aborted[current] = true;
                    FakeNative.Abort(current);
                }
                Thread.Yield();
            }
        }

        /// <summary>On the pool, or here.</summary>
        private static RequestFlags Where(Random random) =>
            random.Next(2) == 0 ? RequestFlags.None : RequestFlags.RunHere;
    }
}
