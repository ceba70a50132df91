using System;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Server;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Hands a response's bytes to native: the first with the head. Its owner sees to it that one thread does so at a
    /// time.
    /// </summary>
    internal sealed class BodySender
    {
        private readonly RequestContext _context;
        private readonly WriteRoom _room;
        private ulong _id;

        public BodySender(RequestContext context, WriteRoom room)
        {
            _context = context;
            _room = room;
        }

        public bool HeadSent { get; private set; }

        /// <summary>Nothing can be sent any more.</summary>
        public bool Ended { get; private set; }

        public void Reset(ulong id)
        {
            _id = id;
            HeadSent = Ended = false;
        }

        /// <summary>The context sends the head itself, for a connection that changes its protocol.</summary>
        public void SkipHead() => HeadSent = true;

        /// <summary>Two pieces, each of which may be empty; the flags are the last one's.</summary>
        public void Send(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, BodyFlags flags)
        {
            if (Ended)
            {
                return;
            }
            if (first.IsEmpty)
            {
                first = second;
                second = default;
            }
            _room.MayBeFull();
            Ended = flags == BodyFlags.End;
            var status = SendFirst(first, second.IsEmpty ? flags : BodyFlags.None);
            if (!second.IsEmpty && status >= Status.Ok)
            {
                status = Native.Write(_id, second, flags);
            }
            Note(status);
        }

        /// <summary>They end the body.</summary>
        public void SendTrailers(FieldList trailers)
        {
            _room.MayBeFull();
            Ended = true;
            Note(HeadWriter.SendTrailers(_id, trailers));
        }

        private Status SendFirst(ReadOnlySpan<byte> body, BodyFlags flags)
        {
            if (!HeadSent)
            {
                HeadSent = true;
                return _context.SendHead(body, flags);
            }
            return body.IsEmpty && flags == BodyFlags.None ? Status.Ok : Native.Write(_id, body, flags);
        }

        private void Note(Status status)
        {
            switch (status)
            {
                case Status.Pending:
                    // Room is there when the callback has come, which may have been during the call.
                    break;
                case Status.Ok:
                    _room.HasRoom();
                    break;
                case Status.Gone:
                    _context.OnGone();
                    break;
                default:
                    _room.HasRoom();
                    throw new InvalidOperationException($"The native host refused the response ({status}).");
            }
        }
    }
}
