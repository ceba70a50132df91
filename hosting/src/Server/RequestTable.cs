using System;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// Finds a request's context by its id: the low half is a slot, the high half tells its requests apart. Native
    /// chooses slots; they are dense, so an array does.
    /// </summary>
    internal sealed unsafe class RequestTable
    {
        /// <summary>Contexts above it are not kept for the next request, so that a burst does not stay in memory.</summary>
        private const int KeptContexts = 1024;

        private readonly Func<RequestTable, RequestContext> _create;
        private readonly TaskCompletionSource<bool> _drained =
            new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        private Slot?[] _slots = new Slot?[64];
        private int _stopping;

        public RequestTable(Func<RequestTable, RequestContext> create)
        {
            _create = create;
            Sweeper = new Sweeper(this);
        }

        public Sweeper Sweeper { get; }

        /// <summary>Every request is complete, or was given up.</summary>
        public Task Drained => _drained.Task;

        /// <summary>Starts a request: on the pool, or at once where native's thread is lent to it.</summary>
        public void Begin(ulong id, NativeRequest* request)
        {
            var slot = SlotOf(id);
            var context = slot.Context ??= _create(this);
            context.Begin(id, request, slot);
            // The notice that the client left comes from another thread: whoever is second sees the first.
            Thread.MemoryBarrier();
            if (slot.Aborted == id)
            {
                context.OnAbort(id);
            }
            if ((request->Flags & RequestFlags.RunHere) == 0)
            {
                ThreadPool.UnsafeQueueUserWorkItem(context, preferLocal: false);
            }
            else
            {
                LentThread.Execute(context);
            }
        }

        /// <summary>Null where the request is over.</summary>
        public RequestContext? Find(ulong id)
        {
            var slots = Volatile.Read(ref _slots);
            var index = SlotNumber(id);
            var context = (uint)index < (uint)slots.Length ? slots[index]?.Context : null;
            return context != null && context.Id == id ? context : null;
        }

        public void Abort(ulong id)
        {
            var slot = SlotOf(id);
            slot.Aborted = id;
            Thread.MemoryBarrier();
            slot.Context?.OnAbort(id);
        }

        /// <summary>False where somebody stops the server already.</summary>
        public bool BeginStop() => Interlocked.Exchange(ref _stopping, 1) == 0;

        public void OnDrained() => _drained.TrySetResult(true);

        /// <summary>Ends what is under way, and waits no longer for it.</summary>
        public void BreakOff()
        {
            foreach (var slot in Volatile.Read(ref _slots))
            {
                slot?.Context?.BreakOff();
            }
            OnDrained();
        }

        /// <summary>Sends what was held before this round; true where something newer is held.</summary>
        public bool SendHeld(int round)
        {
            var newer = false;
            foreach (var slot in Volatile.Read(ref _slots))
            {
                newer |= slot?.Context?.Output.SendHeld(round) ?? false;
            }
            return newer;
        }

        /// <summary>To be called when a request is over, before native hears of it.</summary>
        /// <param name="id">The request's.</param>
        /// <param name="slot">Its place.</param>
        /// <param name="isFree">Nobody holds on to its context, which may serve another request.</param>
        public static void Release(ulong id, Slot slot, bool isFree)
        {
            if (!isFree || SlotNumber(id) >= KeptContexts)
            {
                slot.Context = null;
            }
        }

        private static int SlotNumber(ulong id) => (int)(id & int.MaxValue);

        private Slot SlotOf(ulong id)
        {
            var slots = Volatile.Read(ref _slots);
            var index = SlotNumber(id);
            var slot = index < slots.Length ? slots[index] : null;
            return slot ?? AddSlot(index);
        }

        private Slot AddSlot(int index)
        {
            lock (_drained)
            {
                if (index >= _slots.Length)
                {
                    var larger = new Slot?[Math.Max(index + 1, _slots.Length * 2)];
                    Array.Copy(_slots, larger, _slots.Length);
                    Volatile.Write(ref _slots, larger);
                }
                return _slots[index] ??= new Slot();
            }
        }
    }
}
