using System;
using System.Reflection;
using System.Reflection.Emit;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Classes that are made at run time, because what they implement or override does not exist where this is built. What they
    /// do, their base class does: it is written here, and public for their sake.
    /// </summary>
    internal static class NewerTypes
    {
        private const string Name = "Ancm.Hosting.Newer";

        private static readonly ModuleBuilder _module = AssemblyBuilder
            .DefineDynamicAssembly(new AssemblyName(Name), AssemblyBuilderAccess.Run)
            .DefineDynamicModule(Name);

        /// <summary>A class whose base has all methods of the interface: public, virtual, of the same names.</summary>
        public static Type Implement(Type interfaceType, Type parent)
        {
            var type = Define(parent);
            type.AddInterfaceImplementation(interfaceType);
            return type.CreateType()!;
        }

        public static TypeBuilder Define(Type parent) =>
            _module.DefineType($"{Name}.{parent.Name}", TypeAttributes.Public | TypeAttributes.Sealed, parent);
    }
}
