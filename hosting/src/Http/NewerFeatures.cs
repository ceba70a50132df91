using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Threading.Tasks;
using Ancm.Hosting.Server;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Features of newer frameworks than the oldest that is served, answered by a proxy: their interfaces do not exist
    /// where this is built. Minimal APIs read no body without the first; WebSockets over HTTP/2 need the second.
    /// </summary>
    internal static class NewerFeatures
    {
        private const string Assembly = ", Microsoft.AspNetCore.Http.Features";

        /// <summary>From .NET 5 on.</summary>
        private static readonly Type? _bodyDetection =
            Type.GetType("Microsoft.AspNetCore.Http.Features.IHttpRequestBodyDetectionFeature" + Assembly);

        /// <summary>From .NET 7 on.</summary>
        private static readonly Type? _extendedConnect =
            Type.GetType("Microsoft.AspNetCore.Http.Features.IHttpExtendedConnectFeature" + Assembly);

        /// <summary>From .NET 8 on, there is another one of that name, without parameters of type.</summary>
        private static readonly MethodInfo _create =
            typeof(DispatchProxy).GetMethod(nameof(DispatchProxy.Create), 2, Type.EmptyTypes)!;

        /// <summary>Those that the framework at hand has.</summary>
        public static IEnumerable<Type> Types
        {
            get
            {
                foreach (var type in new[] { _bodyDetection, _extendedConnect })
                {
                    if (type != null)
                    {
                        yield return type;
                    }
                }
            }
        }

        /// <summary>Sets what the framework at hand has; once for each context.</summary>
        public static void SetBodyDetection(RequestContext context, Func<bool> canHaveBody) =>
            Set(context, _bodyDetection, method => method switch
            {
                "get_CanHaveBody" => canHaveBody(),
                _ => null,
            });

        /// <summary>For a request that is one.</summary>
        public static void SetExtendedConnect(RequestContext context, Func<ValueTask<Stream>> accept) =>
            Set(context, _extendedConnect, method => method switch
            {
                "get_IsExtendedConnect" => true,
                "get_Protocol" => "websocket",
                "AcceptAsync" => accept(),
                _ => null,
            });

        /// <summary>An implementation of an interface that answers by the names of its methods.</summary>
        public static object Implement(Type type, Func<string, object?> answer)
        {
            var proxy = _create.MakeGenericMethod(type, typeof(AnswersByName)).Invoke(null, null)!;
            ((AnswersByName)proxy).Answer = answer;
            return proxy;
        }

        private static void Set(RequestContext context, Type? type, Func<string, object?> answer)
        {
            if (type != null)
            {
                context[type] = Implement(type, answer);
            }
        }
    }
}
