using System;
using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Http
{
    /// <content>What follows once the connection speaks another protocol.</content>
    internal sealed partial class ResponseOutput
    {
        /// <summary>The head is sent by the context itself, and what follows goes past the buffer.</summary>
        public void Upgrade()
        {
            lock (_lock)
            {
                _mayHold = false;
                _sender.SkipHead();
            }
        }

        /// <summary>After <see cref="Upgrade"/>: straight to native, with the same back-pressure.</summary>
        public ValueTask<FlushResult> WriteThroughAsync(
            ReadOnlySpan<byte> source, BodyFlags flags, CancellationToken cancellationToken)
        {
            PutThrough(source, flags);
            return Room.WaitAsync(cancellationToken);
        }

        /// <summary>The same, with the calling thread.</summary>
        public void WriteThrough(ReadOnlySpan<byte> source)
        {
            PutThrough(source, BodyFlags.None);
            Room.Wait();
        }

        private void PutThrough(ReadOnlySpan<byte> source, BodyFlags flags)
        {
            lock (_lock)
            {
                if (!Room.IsBroken)
                {
                    _sender.Send(source, default, flags);
                }
            }
        }
    }
}
